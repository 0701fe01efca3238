from sqlalchemy import Column, MetaData, Table, Text, Uuid

metadata = MetaData()

notes = Table(
    "notes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("text", Text, nullable=False),
)
heard = Table("heard", metadata, Column("note_id", Uuid, nullable=False))
