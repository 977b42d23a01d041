"""lujin 绿金: from meter readings to energy and carbon accounts for every enterprise of a park."""
