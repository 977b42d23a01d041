"""What leaves the park: accounts as others take them, on paper, in a workbook, as a signed file (发布)."""
