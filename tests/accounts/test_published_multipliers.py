"""Carbon of final demand in published input-output tables: the kernel gives their Leontief inverse."""

import numpy as np
import pytest

from lujin.accounts.intensities import intensities


def test_two_sectors_of_miller_and_blair():
    """R. E. Miller & P. D. Blair, Input-Output Analysis (1985; 2nd ed. 2009, chapter 2): agriculture 1000 and
    manufacturing 2000, of which 150, 500 and 200, 100 go to one another.

    The flows and A = [[0.15, 0.25], [0.20, 0.05]] were read in public transcriptions of the book's example; the
    printed inverse and outputs are from memory, and are what these flows give. With one unit of carbon per unit of
    output of one sector, the intensities are a row of (I − A)⁻¹.
    """
    source, target = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    flows = np.array([150.0, 500.0, 200.0, 100.0])
    output = np.array([1000.0, 2000.0])
    found = intensities(["agriculture", "manufacturing"], source, target, flows, output, np.diag(output))
    printed = np.array([[1.2541, 0.3300], [0.2640, 1.1221]])
    assert pytest.approx(printed, abs=5e-5) == found.intensity.T
    assert found.used == pytest.approx([350, 1700])
    # final demand of 600 and 1500 instead: the outputs of the book's impact example, 1247.5 and 1841.6
    assert pytest.approx([1247.5, 1841.6], abs=0.05) == found.intensity.T @ [600, 1500]
