print("nunchi")
