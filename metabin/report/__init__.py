"""The results as a page: `page.write_report(inputs, directory)`."""
