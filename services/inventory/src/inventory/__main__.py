from inventory.main import SERVICE

SERVICE.main()
