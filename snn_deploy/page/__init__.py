"""The HTML pages: what the reports counted, drawn."""
