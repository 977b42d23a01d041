def recover(workspace): pass
