"""All that the product needs of Flower and Ray beyond what they document.

For each there is a test in tests/common/test_compat.py, which a new version of either has to pass first.
"""
