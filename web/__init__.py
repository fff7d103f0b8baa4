"""The time bank on the web: routes read forms, call one `timebank` function, and show pages."""
