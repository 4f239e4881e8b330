"""The one place that wires programs together: the registrar (``run.py``), the Join Proxy."""
