"""Design by gradient: parameters of arrays descend through the physics, and end as what can be built."""
