"""Who belongs to a home, and what each may do: identity and roster."""
