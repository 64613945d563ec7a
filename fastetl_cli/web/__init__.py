"""The drawing pad: a page that any web host can serve, and the server of `fastetl pad`."""
