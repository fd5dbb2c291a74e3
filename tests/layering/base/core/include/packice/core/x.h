#pragma once

int X();
