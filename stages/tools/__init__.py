"""Commands for people: check data sets, set parameters, run the pipeline, open MLflow."""
