"""Pages and HTTP API over a park. Holds no calculation. (网页与接口)"""
