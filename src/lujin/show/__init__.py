"""Reports as text that a person can read, in their language. Holds no calculation.

One module per kind of report; each is imported by the verb that needs it.
"""
