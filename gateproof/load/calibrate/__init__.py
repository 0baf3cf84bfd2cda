"""How exact and how fast our own measuring is on this machine: ``gateproof calibrate`` (docs/calibration.md)."""
