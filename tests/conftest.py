# For integration/ and fault/ alike: the fixtures are those of tests/support/mt5/fixtures.py.
pytest_plugins = ["mt5.fixtures"]
