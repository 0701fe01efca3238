from chassis import migrations
from orders.schema import metadata

migrations.add_chassis_tables(metadata)
migrations.run(metadata)
