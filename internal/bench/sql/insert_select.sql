INSERT INTO incoming SELECT * FROM source
