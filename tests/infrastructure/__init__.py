"""Real things for the tests: a PostgreSQL server, a browser, a mail server."""
