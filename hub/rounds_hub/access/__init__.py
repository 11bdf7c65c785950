"""Who may do what: principals, one policy function, the audit trail."""
