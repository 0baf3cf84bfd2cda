"""What a load run costs and how exact it is, beside the least that can be had: ``python -m bench``."""
