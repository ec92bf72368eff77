"""Clinical entities: drugs and other chemicals, diseases, anatomy. Three adapters, since their guidelines overlap."""
