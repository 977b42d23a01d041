"""One park's directory, opened: what library, command line and web all hold."""

from lujin.workspace.core import Workspace, open_workspace

__all__ = ["Workspace", "open_workspace"]
