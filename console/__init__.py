"""The web application: sign-in, shell, pages, API."""
