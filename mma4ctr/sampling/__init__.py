"""Sample raw logs of both challenges: what `sample_data.py` writes where no real logs are."""
