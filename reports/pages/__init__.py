"""The sections of the page: each module gathers what its template of the same name shows."""
