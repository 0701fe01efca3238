from chassis import migrations
from sample.schema import metadata

migrations.add_chassis_tables(metadata)
migrations.run(metadata)
