"""TENANTS: identities by need. Minted for one check where the target allows it, else one that it declares."""
