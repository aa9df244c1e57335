"""Pages to look at: charts, tables and pictures as one HTML file."""
