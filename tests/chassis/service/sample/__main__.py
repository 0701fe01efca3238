from sample.main import SERVICE

SERVICE.main()
