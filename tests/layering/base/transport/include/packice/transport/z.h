#pragma once

int Z();
