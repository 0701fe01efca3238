from accounting.main import SERVICE

SERVICE.main()
