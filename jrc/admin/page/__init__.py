"""The page: the registrar's state in a browser, read only (docs/page.md)."""
