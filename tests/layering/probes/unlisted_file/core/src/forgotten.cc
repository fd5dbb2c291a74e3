int Forgotten() { return 1; }
