"""Watches the plant: data quality, limits, multivariate detectors, trends, steadiness, alerts."""
