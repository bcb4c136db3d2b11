"""The course as a book: pages generated from the syllabus, the derivations, the contracts, the sources and the guides."""
