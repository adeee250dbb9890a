"""`xbar reproduce`: the items of the papers, what each is judged by, and the report on them."""
