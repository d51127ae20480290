"""Which machines may a wheel be promised to? All tag policy is here, a module for each system."""
