from chassis import migrations
from inventory.schema import metadata

migrations.add_chassis_tables(metadata)
migrations.run(metadata)
