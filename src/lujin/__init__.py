"""lujin 绿金: from meter readings to energy and carbon accounts for every enterprise of a park.

>>> import lujin
>>> park = lujin.open("mypark")                             # doctest: +SKIP
>>> park.import_files(["arrivals/"])                        # doctest: +SKIP
>>> park.run()                                              # doctest: +SKIP
>>> print(park.statement("E012", 202506).as_dict())         # doctest: +SKIP
"""

from lujin.errors import InputError, LujinError, Problem, StoreError
from lujin.workspace import Workspace
from lujin.workspace import open_workspace as open

__version__ = "0.1.0"
__all__ = ["InputError", "LujinError", "Problem", "StoreError", "Workspace", "open"]
