"""Storage: records, tables, transactions, queries. Knows nothing of the engine."""
