#pragma once

int Y();
