"""How the services of the house write their logs: one JSON line for each event.

A line says what happened, to which id, never what is in a data set. Tracebacks have no
values of variables: those could be a patient's, or a token.
"""

from __future__ import annotations

import logging
import sys

import structlog

__all__ = ["log_lines"]


def log_lines() -> None:
    """Write one JSON line for each event on the error stream of this process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
