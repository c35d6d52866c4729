const char sync_nr_ctime[] = __DATE__ " " __TIME__ " " __FILE__;
