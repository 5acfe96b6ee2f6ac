"""The formats of a report: terminal, CSV, LaTeX, Markdown and one page of HTML."""
