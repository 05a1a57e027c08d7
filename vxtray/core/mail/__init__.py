"""Mail: composing, the outbox, SMTP and what servers say, the staged connection check."""
