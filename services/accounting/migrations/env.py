from accounting.schema import metadata
from chassis import migrations

migrations.add_chassis_tables(metadata)
migrations.run(metadata)
