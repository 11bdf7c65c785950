"""Templates, and the runs that execute them on series with parameters."""
