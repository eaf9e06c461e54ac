"""A token of each role."""

TOKENS = {"read": "reader-secret-0123", "report": "reporter-secret-01", "admin": "admin-secret-01234"}


def write_tokens(folder):
    """Their files, and the rows of http.tokens that name them."""
    rows = []
    for role, secret in TOKENS.items():
        path = folder / f"token-{role}"
        path.write_text(secret + "\n")
        path.chmod(0o600)
        rows.append({"name": f"the-{role}", "role": role, "file": str(path)})
    return rows
