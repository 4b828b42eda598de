"""The methods that are compared, a class each.

A new method is one class in one file here and one line in `metabin.registry.METHODS`. These modules
import no torch: the configuration and the report read names, labels and colours. What a method
needs to train, it imports when it trains.
"""
